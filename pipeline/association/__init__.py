"""Tracklets and embeddings in, identities and their evidence out."""
