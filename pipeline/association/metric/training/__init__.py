"""How a metric learns, and how well it does beside cosine. torch is imported only in `learning`."""
