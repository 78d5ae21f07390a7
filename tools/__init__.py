"""What is done with packages after `sam build` has made them."""
