"""One file per version. What was released is not changed any more."""
