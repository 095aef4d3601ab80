"""Other systems' registries, read by their files and over their wire; none of them is imported."""
