"""Labelled clips: the public data sets, folders, archives; and how each is to be scored."""
