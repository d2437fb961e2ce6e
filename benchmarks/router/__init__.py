"""How often the router is right on rendered public icons, and the fit of its decision trees."""
