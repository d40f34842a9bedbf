"""What a run of a pair would take on GPUs that are not at hand: derived, number by number."""
