# SPDX-License-Identifier: Apache-2.0
# Makes features.safetensors: numpy in double precision, written from the formulas of reference.md G.2.
# Run in this folder; prints how far its own hidden states are from the PyTorch references.
import numpy as np, json, struct
def load(p):
    b=open(p,'rb').read(); n=struct.unpack('<Q',b[:8])[0]; h=json.loads(b[8:8+n]); out={}
    for k,v in h.items():
        if k=='__metadata__': continue
        s,e=v['data_offsets']; raw=b[8+n+s:8+n+e]
        if v['dtype']=='F32': a=np.frombuffer(raw,'<f4')
        elif v['dtype']=='BF16': a=(np.frombuffer(raw,'<u2').astype(np.uint32)<<16).view(np.float32)
        elif v['dtype']=='I64': a=np.frombuffer(raw,'<i8')
        else: a=np.frombuffer(raw,'<i4')
        out[k]=a.reshape(v['shape']).astype(np.float64)
    return out
def save(p,d):
    h={};o=0;bl=[]
    for k,a in d.items():
        a=np.ascontiguousarray(a,dtype='<f4');h[k]={'dtype':'F32','shape':list(a.shape),'data_offsets':[o,o+a.nbytes]};o+=a.nbytes;bl.append(a.tobytes())
    t=json.dumps(h).encode(); t+=b' '*((-len(t)-8)%64)
    open(p,'wb').write(struct.pack('<Q',len(t))+t+b''.join(bl))
def ln(x,w,b,eps):
    m=x.mean(-1,keepdims=True);v=((x-m)**2).mean(-1,keepdims=True);return (x-m)/np.sqrt(v+eps)*w+b
def soft(s):
    e=np.exp(s-s.max(-1,keepdims=True));return e/e.sum(-1,keepdims=True)
def run(folder, clip):
    W=load(folder+'/model.safetensors'); R=load(folder+'/reference.safetensors'); C=json.load(open(folder+'/config.json'))['vision_config']
    P='vision_model.'; D=C['hidden_size'];H=C['num_attention_heads'];L=C['num_hidden_layers'];ps=C['patch_size'];eps=1e-5 if clip else 1e-6
    act=(lambda x:x/(1+np.exp(-1.702*x))) if clip else (lambda x:0.5*x*(1+np.tanh(np.sqrt(2/np.pi)*(x+0.044715*x**3))))
    g=lambda n:W[P+n]
    px=R['pixel_values'][0]; G=px.shape[1]//ps
    patches=np.stack([px[:,y*ps:(y+1)*ps,x*ps:(x+1)*ps].reshape(-1) for y in range(G) for x in range(G)])
    x=patches@g('embeddings.patch_embedding.weight').reshape(D,-1).T
    if not clip: x=x+g('embeddings.patch_embedding.bias')
    if clip: x=np.concatenate([g('embeddings.class_embedding').reshape(1,-1),x])
    x=x+g('embeddings.position_embedding.weight')
    if clip: x=ln(x,g('pre_layrnorm.weight'),g('pre_layrnorm.bias'),eps)
    lin=lambda i,n,z: z@g(f'encoder.layers.{i}.{n}.weight').T+g(f'encoder.layers.{i}.{n}.bias')
    norm=lambda i,k,z: ln(z,g(f'encoder.layers.{i}.layer_norm{k}.weight'),g(f'encoder.layers.{i}.layer_norm{k}.bias'),eps)
    def heads(z): return z.reshape(len(z),H,-1).transpose(1,0,2)
    def attn(q,k,v):
        q,k,v=map(heads,(q,k,v)); o=soft(q@k.transpose(0,2,1)/np.sqrt(D//H))@v
        return o.transpose(1,0,2).reshape(-1,D)
    ffn=lambda i,z: lin(i,'mlp.fc2',act(lin(i,'mlp.fc1',norm(i,2,z))))
    def block(i,x):
        n=norm(i,1,x); a=attn(lin(i,'self_attn.q_proj',n),lin(i,'self_attn.k_proj',n),lin(i,'self_attn.v_proj',n))
        x=x+lin(i,'self_attn.out_proj',a); return x+ffn(i,x)
    states=[x]
    for i in range(L): states.append(block(i,states[-1]))
    print(folder, 'hidden err', max(abs(states[i]-R[f'hidden_states.{i}'][0]).max() for i in range(L+1)))
    post=lambda z: ln(z,g('post_layernorm.weight'),g('post_layernorm.bias'),eps)
    out={}
    if clip:
        proj=lambda z: (post(z)@W['visual_projection.weight'].T)[1:]
        print('raw err',abs(proj(states[-1])-R['patch_projected'][0]).max())
        i=L-1; x=states[i]; a=lin(i,'self_attn.out_proj',lin(i,'self_attn.v_proj',norm(i,1,x)))
        for r in (1,0):
            for f in (1,0):
                y=x+a if r else a
                if f: y=y+ffn(i,y)
                out[f'maskclip.residual{r}.ffn{f}']=proj(y)
        for depth in (2,L):
            x=states[L-depth].copy(); ori=states[L-depth].copy()
            for i in range(L-depth,L):
                n=norm(i,1,ori); v=lin(i,'self_attn.v_proj',n)
                x=x+lin(i,'self_attn.out_proj',attn(v,v,v)); ori=block(i,ori)
            out[f'surgery.{depth}']=proj(x)
    else:
        z=post(states[-1]); print('raw err',abs(z-R['last_hidden_state'][0]).max())
        Wi=g('head.attention.in_proj_weight');bi=g('head.attention.in_proj_bias')
        def pool(rows):
            q=g('head.probe').reshape(1,-1)@Wi[:D].T+bi[:D];k=rows@Wi[D:2*D].T+bi[D:2*D];v=rows@Wi[2*D:].T+bi[2*D:]
            a=attn2(q,k,v)@g('head.attention.out_proj.weight').T+g('head.attention.out_proj.bias')
            n=ln(a,g('head.layernorm.weight'),g('head.layernorm.bias'),eps)
            return a+act(n@g('head.mlp.fc1.weight').T+g('head.mlp.fc1.bias'))@g('head.mlp.fc2.weight').T+g('head.mlp.fc2.bias')
        def attn2(q,k,v):
            q,k,v=map(heads,(q,k,v)); return (soft(q@k.transpose(0,2,1)/np.sqrt(D//H))@v).transpose(1,0,2).reshape(-1,D)
        print('pool err',abs(pool(z)[0]-R['pooler_output'][0]).max())
        out['map_value']=np.concatenate([pool(z[i:i+1]) for i in range(len(z))])
    return out
F='../../SEARuntimeTests/Fixtures/'
o={}
for k,v in run(F+'clip-tiny',True).items(): o['clip.'+k]=v
for k,v in run(F+'siglip-tiny',False).items(): o['siglip.'+k]=v
save('features.safetensors',o)
