"""How long the kernels take by themselves: `make bench-micro`."""
