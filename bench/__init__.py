"""Programs that measure: the demo, speed at equal recall beside the peers, and the data they run on."""
