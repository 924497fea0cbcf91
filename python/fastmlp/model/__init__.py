"""The network in memory: layers, live views, and samples checked against them."""
