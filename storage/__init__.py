"""What is remembered: the trajectory store."""
