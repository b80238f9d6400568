"""From "please" to "ready".

What was asked comes in, is checked, carried out and waited for, and is begun again after a crash; a
ready run or an error with its cause goes out.
"""
