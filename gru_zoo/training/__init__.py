"""Training: batches, the fit that can be resumed, run folders, metrics."""
