"""Writes what torch.save writes, without torch."""
import io, pickle, struct, sys, types, zipfile
from collections import OrderedDict
torch=types.ModuleType('torch'); utils=types.ModuleType('torch._utils'); sys.modules['torch']=torch; sys.modules['torch._utils']=utils
def _rebuild_tensor_v2(*a): pass
_rebuild_tensor_v2.__module__='torch._utils'; _rebuild_tensor_v2.__qualname__='_rebuild_tensor_v2'; utils._rebuild_tensor_v2=_rebuild_tensor_v2
for n in ['FloatStorage','LongStorage','DoubleStorage']:
    c=type(n,(),{'__module__':'torch'}); setattr(torch,n,c)
class Storage:
    def __init__(s,kind,key,data): s.kind,s.key,s.data=kind,key,data
class T:
    def __init__(s,storage,offset,shape,stride): s.a=(storage,offset,shape,stride)
    def __reduce__(s): return (_rebuild_tensor_v2,(*s.a,False,OrderedDict()))
def sd():
    st={}
    a=Storage('FloatStorage','0',struct.pack('<6f',1,2,3,4,5,6))
    b=Storage('DoubleStorage','1',struct.pack('<2d',0.5,-0.25))
    c=Storage('LongStorage','2',struct.pack('<q',7))
    o=OrderedDict()
    o['module.a.weight']=T(a,0,(2,3),(3,1))
    o['module.a.transposed']=T(a,1,(2,2),(1,3))   # [[2,5],[3,6]]
    o['module.b.running_mean']=T(b,0,(2,),(1,))
    o['module.b.num_batches_tracked']=T(c,0,(),())
    return o,[a,b,c]
def dump(obj,legacy,f):
    class P(pickle.Pickler):
        def persistent_id(s,x):
            if isinstance(x,Storage):
                n=len(x.data)//(4 if x.kind[0]=='F' else 8)
                t=('storage',getattr(torch,x.kind),x.key,'cpu',n)
                return t+(None,) if legacy else t
    P(f,protocol=2).dump(obj)
o,ss=sd()
with zipfile.ZipFile('archive.pt','w',zipfile.ZIP_STORED) as z:
    b=io.BytesIO(); dump({'epoch':3,'best':0.5,'state_dict':o},False,b)
    z.writestr('archive/data.pkl',b.getvalue()); z.writestr('archive/byteorder','little')
    for s in ss: z.writestr('archive/data/'+s.key,s.data)
    z.writestr('archive/version','3\n')
with open('stream.pth.tar','wb') as f:
    pickle.dump(0x1950a86a20f9469cfc6c,f,protocol=2); pickle.dump(1001,f,protocol=2)
    pickle.dump(dict(protocol_version=1001,little_endian=True,type_sizes=dict(short=2,int=4,long=4)),f,protocol=2)
    dump(o,True,f); pickle.dump(sorted(s.key for s in ss),f,protocol=2)
    for s in ss: f.write(struct.pack('<q',len(s.data)//(4 if s.kind[0]=='F' else 8))); f.write(s.data)
