"""The dense inverted file: lists around centroids, held as blocks of codes that are scanned from registers."""
