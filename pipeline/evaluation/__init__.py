"""How good are the results: tracking and multi-camera metrics."""
