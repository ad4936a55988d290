"""Where frames come from, and the workers that turn them into tracklets."""
