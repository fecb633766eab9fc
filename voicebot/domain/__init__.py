"""Values and Protocols of the whole product. Standard library only."""
