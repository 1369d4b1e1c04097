"""Two flows on two connections, statement by statement, in every order that the locks allow."""
