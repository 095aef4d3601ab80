"""Models made better and understood: explanation now; passes, recipes and trials."""
