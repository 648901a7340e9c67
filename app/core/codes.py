"""scratch"""
A="0123456789ABCDEFGHJKMNPQRSTVWXYZ"
def normalise_code(text): return text.upper().replace("-","")
def code_from_bytes(raw, length):
    n=int.from_bytes(raw,"big"); return "".join(A[(n>>(5*i))&31] for i in range(length+1))
def format_code(c): return c
