"""Learnt comparison of two tracklets, each kind of pair by a network of its own."""
