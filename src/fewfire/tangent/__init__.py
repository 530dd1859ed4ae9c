"""The tangent kernel of a network: through a fire set, and in the limit of great width."""
