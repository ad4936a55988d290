"""Whom does a picture show, or a tracklet? Identities of a run by how much they look alike."""
