"""Temporal heads: from the frame vectors of a clip to one embedding."""
