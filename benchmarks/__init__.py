"""What asv measures over the history: one class a question, small sizes, fixed data."""
