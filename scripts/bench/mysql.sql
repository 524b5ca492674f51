set session cte_max_recursion_depth = 4294967295;
create table customers(id bigint primary key, email varchar(200) not null, name varchar(64) not null, address text,
    created datetime not null, balance decimal(12,2), key(email));
create table orders(id bigint primary key, customer_id bigint not null, status varchar(20) not null,
    total decimal(12,2), placed datetime not null, note text, key(customer_id), key(placed));
create table events(id bigint primary key, order_id bigint, kind varchar(10) not null, payload json not null,
    at datetime not null, key(order_id), key(kind, at));

insert into customers
with recursive n(i) as (select 1 union all select i+1 from n where i < :customers)
select i, concat('user',i,'@example',i%97,'.org'), left(sha2(i,256),32),
    concat('Street ',i%5000,', ',left(sha2(i*7,256),32)), date_add('2020-01-01', interval i*3 minute),
    (i*37%100000)/100.0
from n;

insert into orders
with recursive n(i) as (select 1 union all select i+1 from n where i < :orders)
select i, 1+(i*7919)%:customers, elt(1+i%5,'new','paid','shipped','done','cancelled'), (i*91%1000000)/100.0,
    date_add('2021-01-01', interval i*20 second),
    if(i%3=0, concat('note ',left(sha2(i,256),32),' lorem ipsum dolor sit amet ',left(sha2(i*3,256),32)),
        concat('standard delivery, leave at the door ',i%1000))
from n;

insert into events
with recursive n(i) as (select 1 union all select i+1 from n where i < :events)
select i, 1+(i*104729)%:orders, elt(1+i%4,'view','click','cart','pay'),
    json_object('ip',concat('10.',i%256,'.',i*7%256,'.',i*13%256),'ua','Mozilla/5.0 (X11; Linux x86_64)',
        'session',left(sha2(floor(i/10),256),32),'value',i%10007,'tags',json_array(concat('a',i%17),concat('b',i%5))),
    date_add('2022-01-01', interval i*7 second)
from n;

alter table orders add foreign key(customer_id) references customers(id);
alter table events add foreign key(order_id) references orders(id);
analyze table customers, orders, events;
