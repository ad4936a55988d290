"""Scores of searches: how early the right person comes, and who is taken for somebody known."""
