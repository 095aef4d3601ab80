"""What objects cost: committing, loading, evaluating and merging, beside the libraries alone."""
