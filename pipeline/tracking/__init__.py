"""Detections in, tracks, tracklets and clips out; one camera at a time."""
