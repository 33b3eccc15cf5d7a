"""The four doors rows come in by: databases, HTTP, files, and an inbox of hints. One contract behind each."""
