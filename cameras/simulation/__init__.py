"""A site of walking people, rendered through its cameras, with everything known exactly."""
