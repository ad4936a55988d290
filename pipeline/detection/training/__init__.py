"""Learning a person detector: recipe, windows of pictures, cut-outs, ultralytics' loop."""
