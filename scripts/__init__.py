"""What writes the generated parts of this repository."""
