"""Two departments' figures, compared: claims, the bridge between them, its causes, and the results."""
