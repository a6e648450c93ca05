"""Programs and gradients that know nothing of the doctor's catalogue, for the doctor to be examined on."""
