"""Frames in, people found: supervision.Detections."""
