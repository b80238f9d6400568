"""From "please" to "ready": a start is prepared, carried out, waited for, and begun again after a crash."""
