"""The pages, an area in a module each: `routes(app)` gives its addresses."""
