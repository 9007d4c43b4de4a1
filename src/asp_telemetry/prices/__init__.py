"""What a usage costs: price lists, and the sums over them; used by the writer and wherever a caller asks at once."""
