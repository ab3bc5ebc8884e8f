"""Models by architecture, not by task."""
