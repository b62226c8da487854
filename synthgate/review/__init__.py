"""Expert review: a page of synthetic rows to look at, and the sign-off that comes of it."""
