"""A real Kubernetes control plane with simulated nodes, started from plain binaries, for tests and demonstrations."""
