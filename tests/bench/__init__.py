"""Commands that measure or try the whole product; pytest does not collect them."""
