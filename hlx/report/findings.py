"""stub"""
def findings(analysis, summary, comparisons): return ["Stub."]
