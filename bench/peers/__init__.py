"""The libraries that are measured, one file each; a file is imported only when its peer takes part."""

from __future__ import annotations

from importlib import import_module

from bench.contract import Peer

# name in tasks and reports -> where its class is
PEERS = {
    "vecrecall HNSW": "vecrecall_dense:Graph",
    "vecrecall IVF": "vecrecall_dense:Lists",
    "vecrecall Exact": "vecrecall_dense:Exact",
    "hnswlib": "hnswlib_:Hnswlib",
    "faiss HNSW": "faiss_:Graph",
    "faiss HNSW-SQ8": "faiss_:CodedGraph",
    "faiss IVF-PQ": "faiss_:FastScan",
    "kannolo": "kannolo_:Plain",
    "kannolo RaBitQ": "kannolo_:Coded",
    "pynndescent": "pynndescent_:NNDescent",
    "usearch": "usearch_:USearch",
    "voyager": "voyager_:Voyager",
    "ScaNN": "scann_:ScaNN",
    "SVS": "svs_:Vamana",
    "SVS LVQ": "svs_:CodedVamana",
    "NGT": "ngt_:Onng",
    "RaBitQ IVF": "rabitq_:Lists",
    "SymphonyQG": "rabitq_:Symphony",
    "numpy exact": "numpy_:Numpy",
    "vecrecall sparse": "vecrecall_sparse:Sparse",
    "vecrecall sparse, exact": "vecrecall_sparse:SparseExact",
    "Seismic": "seismic_:Seismic",
    "kannolo sparse": "kannolo_:Sparse",
    "BMP": "bmp_:BlockMax",
    "bm25s": "bm25s_:Bm25s",
    "scipy exact": "scipy_:Scipy",
}


def peer_class(name: str) -> type[Peer]:
    """The class of a peer; "MODULE:CLASS" names one that is not of this folder."""
    home = PEERS.get(name)
    module, _, attribute = (f"bench.peers.{home}" if home else name).rpartition(":")
    if not module:
        raise ValueError(f"there is no peer {name!r}; there are {', '.join(PEERS)}, or give MODULE:CLASS")
    kind = getattr(import_module(module), attribute, None)
    if not isinstance(kind, type) or not issubclass(kind, Peer):
        raise ValueError(f"{name}: {module} has no class {attribute} that is a bench.contract.Peer")
    return kind
