"""Learning a person detector: recipe, windows of pictures, cut-outs of people, ultralytics' loop."""
