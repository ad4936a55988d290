"""Learning the video encoder: recipe, loop, temporal heads, distillation, and the table of it."""
