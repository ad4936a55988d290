"""Clips in, embeddings out: the video Re-ID encoder."""
