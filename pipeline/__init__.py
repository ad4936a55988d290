"""The stages, in the order data flows; no cameras, no processes, no SQL."""
