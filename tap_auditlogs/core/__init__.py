"""What every vendor needs: HTTP, state, the run loop and writing. Knows no vendor."""
