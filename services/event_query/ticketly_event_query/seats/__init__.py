"""Live seat states: boards, their rendering and how they are kept current."""
