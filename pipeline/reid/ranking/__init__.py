"""Better orders of who was found: by the gallery itself, by several rankings, by a person's word.

Everywhere embeddings are unit vectors, float32 (N, D), and similarities grow with likeness, also
where a paper has distances; labels are never looked at.
"""
